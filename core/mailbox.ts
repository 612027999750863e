/** The write side of a mailbox: all that one actor may hold of another. */
export interface Address<M> {
  readonly name: string;
  /** Queues `message`, waiting while the mailbox is full. */
  send(message: M, signal?: AbortSignal): Promise<void>;
  /** Queues `message` unless the mailbox is full or closed. */
  offer(message: M): boolean;
}

interface Writer<M> {
  message: M;
  resolve(): void;
  reject(error: unknown): void;
}

/** A bounded FIFO queue with many writers and one reader. */
export class Mailbox<M> implements Address<M> {
  readonly name: string;
  readonly capacity: number;
  #queue: M[] = [];
  #writers: Writer<M>[] = [];
  #wake: (() => void) | undefined;
  #closed = false;

  constructor(name: string, capacity: number) {
    if (!Number.isInteger(capacity) || capacity < 1) {
      throw new RangeError(
        `Cannot create mailbox "${name}" as capacity must be >= 1: current value is ${capacity}`,
      );
    }
    this.name = name;
    this.capacity = capacity;
  }

  get size(): number {
    return this.#queue.length;
  }

  offer(message: M): boolean {
    if (this.#closed || this.#queue.length >= this.capacity) return false;
    this.#queue.push(message);
    this.#wake?.();
    return true;
  }

  async send(message: M, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.offer(message)) return;
    if (this.#closed) throw new MailboxClosedError(this.name);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const writer = { message, resolve, reject };
    const abort = () => {
      this.#writers = this.#writers.filter((other) => other !== writer);
      reject(signal?.reason);
    };
    this.#writers.push(writer);
    signal?.addEventListener("abort", abort, { once: true });
    try {
      await promise;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  /**
   * Takes the oldest message, waiting for one. A reader that is aborted takes
   * nothing, so what is queued waits for the next reader.
   */
  async receive(signal: AbortSignal): Promise<M> {
    for (;;) {
      signal.throwIfAborted();
      const message = this.#queue.shift();
      if (message !== undefined) {
        const writer = this.#writers.shift();
        if (writer !== undefined) {
          this.#queue.push(writer.message);
          writer.resolve();
        }
        return message;
      }
      if (this.#closed) throw new MailboxClosedError(this.name);
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      signal.addEventListener("abort", resolve as () => void, { once: true });
      try {
        await promise;
      } finally {
        this.#wake = undefined;
        signal.removeEventListener("abort", resolve as () => void);
      }
    }
  }

  /** Refuses new messages and returns those that nobody will read. */
  close(): M[] {
    this.#closed = true;
    for (const { reject } of this.#writers) {
      reject(new MailboxClosedError(this.name));
    }
    this.#writers = [];
    this.#wake?.();
    return this.#queue.splice(0);
  }
}

/** Thrown to those who use a mailbox that was closed. */
export class MailboxClosedError extends Error {
  override name = "MailboxClosedError";
  constructor(mailbox: string) {
    super(`Cannot use mailbox "${mailbox}": it is closed`);
  }
}
