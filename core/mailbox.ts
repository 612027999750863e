/**
 * Mailboxes: bounded queues with many writers and one reader.
 *
 * A writer that waits, and a reader that waits, take back all that they left
 * behind the moment their signal aborts: no message of an aborted `send` is
 * ever read, and no message is taken for a reader that was aborted before.
 *
 * @module
 */

/** The write side of a mailbox: all that one actor may hold of another. */
export interface Address<M> {
  /** Whose mailbox it is, for errors. */
  readonly name: string;
  /** Queues `message`, waiting while the mailbox is full. */
  send(message: M, signal?: AbortSignal): Promise<void>;
  /** Queues `message` unless the mailbox is full or closed. */
  offer(message: M): boolean;
}

/** A bounded FIFO queue with many writers and one reader. */
export class Mailbox<M> implements Address<M> {
  /** Whose mailbox it is, for errors. */
  readonly name: string;
  /** Messages that it holds; the next writer waits. */
  readonly capacity: number;
  #queue: M[] = [];
  // Writers wait only while the queue is full, so they are always served in order.
  #writers: Writer<M>[] = [];
  #reader: Waiter | undefined;
  #closed = false;

  /**
   * Creates an empty mailbox.
   *
   * @throws {RangeError} when `capacity` is not an integer of 1 or more.
   */
  constructor(name: string, capacity: number) {
    if (!Number.isInteger(capacity) || capacity < 1) {
      throw new RangeError(
        `Cannot create mailbox "${name}" as capacity must be >= 1: current value is ${capacity}`,
      );
    }
    this.name = name;
    this.capacity = capacity;
  }

  /** Messages that wait to be read, those of waiting writers not counted. */
  get size(): number {
    return this.#queue.length;
  }

  /** Queues `message` unless the mailbox is full or closed. */
  offer(message: M): boolean {
    if (this.#closed || this.#queue.length >= this.capacity) return false;
    this.#queue.push(message);
    this.#reader?.resolve();
    return true;
  }

  /**
   * Queues `message`, waiting while the mailbox is full.
   *
   * @throws {MailboxClosedError} when the mailbox is closed, or is closed meanwhile.
   */
  async send(message: M, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.offer(message)) return;
    if (this.#closed) throw new MailboxClosedError(this.name);
    const writer = Object.assign(
      waiter(signal, () => {
        this.#writers = this.#writers.filter((other) => other !== writer);
      }),
      { message },
    );
    this.#writers.push(writer);
    await writer.promise;
  }

  /**
   * Resolves once there is something to `take`.
   *
   * @throws {TypeError} when another reader waits already.
   */
  async ready(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#queue.length > 0) return;
    if (this.#closed) throw new MailboxClosedError(this.name);
    if (this.#reader !== undefined) {
      throw new TypeError(
        `Cannot read mailbox "${this.name}": it has a reader already`,
      );
    }
    const reader = waiter(signal, () => {
      this.#reader = undefined;
    });
    this.#reader = reader;
    await reader.promise;
  }

  /**
   * Takes the oldest message, which must be there: see `size` and `ready`.
   *
   * @throws {TypeError} when there is none.
   */
  take(): M {
    if (this.#queue.length === 0) {
      throw new TypeError(
        `Cannot take from mailbox "${this.name}": it is empty`,
      );
    }
    const message = this.#queue.shift() as M; // may be undefined, and meant so
    const writer = this.#writers.shift();
    if (writer !== undefined) {
      this.#queue.push(writer.message);
      writer.resolve();
    }
    return message;
  }

  /**
   * Takes the oldest message, waiting for one. A reader that is aborted takes
   * nothing, so what is queued waits for the next reader.
   */
  async receive(signal: AbortSignal): Promise<M> {
    for (;;) {
      await this.ready(signal);
      signal.throwIfAborted();
      if (this.#queue.length > 0) return this.take();
    }
  }

  /** Refuses new messages and returns those that nobody will read. */
  close(): M[] {
    this.#closed = true;
    const closed = new MailboxClosedError(this.name);
    for (const writer of [...this.#writers]) writer.reject(closed);
    this.#writers = [];
    this.#reader?.reject(closed);
    return this.#queue.splice(0);
  }
}

/** Thrown to those who use a mailbox that was closed. */
export class MailboxClosedError extends Error {
  /** Tells it from other errors. */
  override name = "MailboxClosedError";
  /** Names the mailbox. */
  constructor(mailbox: string) {
    super(`Cannot use mailbox "${mailbox}": it is closed`);
  }
}

/** Someone who waits until a signal says not to. */
interface Waiter {
  readonly promise: Promise<void>;
  resolve(): void;
  reject(error: unknown): void;
}

interface Writer<M> extends Waiter {
  readonly message: M;
}

/**
 * `leave` runs at once when the wait ends, however it ends. A promise's
 * `finally` would run later, when another may have taken the same place.
 */
function waiter(signal: AbortSignal | undefined, leave: () => void): Waiter {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const done = (): void => {
    signal?.removeEventListener("abort", abort);
    leave();
  };
  const abort = (): void => {
    done();
    reject(signal?.reason);
  };
  signal?.addEventListener("abort", abort, { once: true });
  return {
    promise,
    resolve() {
      done();
      resolve();
    },
    reject(error) {
      done();
      reject(error);
    },
  };
}
