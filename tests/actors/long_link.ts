/**
 * A connection over a path: it takes time, carries so much a second, and has so
 * much on its way and no more.
 *
 * @module
 */
import type { Clock } from "../../core/clock.ts";
import type {
  Conn,
  ReceiveStream,
  SendStream,
} from "../../transport/transport.ts";

/** What a path is like. */
export interface Path {
  /** There and back, ms. */
  readonly rttMs: number;
  /** What it carries from us, bytes a second. */
  readonly bytesPerSecond: number;
  /** What may be on its way at a time, bytes. @default {no limit} */
  readonly windowBytes?: number;
}

/** What goes at a time: what takes so long, ms, and not less or more than so many bytes. */
const PIECE_MS = 50;
const LEAST_PIECE = 8 * 1024;
const MOST_PIECE = 1024 * 1024;
/** Priorities of lanes are not higher. */
const MOST_LANE = 64;

/** Puts a path in front of `conn`, as its near end sees it. */
export function overPath(conn: Conn, clock: Clock, path: Path): Conn {
  const { rttMs, bytesPerSecond, windowBytes = Infinity } = path;
  const most = Math.min(bytesPerSecond * PIECE_MS / 1000, MOST_PIECE);
  const pieceBytes = Math.max(LEAST_PIECE, Math.round(most));
  let freeAt = 0; // when what waits will have left
  let underWay = 0;
  let last: Promise<void> = Promise.resolve();
  let room = Promise.withResolvers<void>();

  const until = async (at: number): Promise<void> => {
    if (at > clock.now()) await clock.delay(at - clock.now());
  };
  /** Waits its turn on the path; resolves when the last bit has left. */
  const leave = (bytes: number): Promise<void> =>
    last = last.then(async () => {
      while (underWay + bytes > windowBytes) await room.promise;
      freeAt = Math.max(freeAt, clock.now()) + bytes / bytesPerSecond * 1000;
      await until(freeAt);
      underWay += bytes;
      until(clock.now() + rttMs).then(() => {
        underWay -= bytes;
        room.resolve();
        room = Promise.withResolvers();
      });
    });
  /** Only lanes fill a path; what is said beside them goes first. */
  const sending = (stream: SendStream, isLane: boolean): SendStream => {
    let arrived: Promise<void> = Promise.resolve(); // in order
    const later = (work: () => Promise<void>): void => {
      const at = clock.now() + rttMs / 2;
      arrived = arrived.then(() => until(at)).then(work);
      arrived.catch(() => {}); // the next write says so
    };
    return {
      async write(bytes) {
        for (let at = 0; at < bytes.length; at += pieceBytes) {
          const piece = bytes.slice(at, at + pieceBytes);
          if (isLane) await leave(piece.length);
          later(() => stream.write(piece));
        }
      },
      end() {
        later(() => stream.end());
        return Promise.resolve();
      },
    };
  };
  const receiving = (stream: ReceiveStream): ReceiveStream => {
    const late = { readSome: stream.readSome, readFully: stream.readFully };
    const wait = async <T>(got: Promise<T>): Promise<T> => {
      const value = await got;
      await clock.delay(rttMs / 2);
      return value;
    };
    return {
      readSome: (view) => wait(late.readSome(view)),
      readFully: (view) => wait(late.readFully(view)),
      cancel: () => stream.cancel(),
    };
  };
  return {
    get remote() {
      return conn.remote;
    },
    closed: conn.closed,
    async openBidi() {
      const { send, receive } = await conn.openBidi();
      return { send: sending(send, false), receive: receiving(receive) };
    },
    openUni: async (priority = 0) =>
      sending(await conn.openUni(priority), priority <= MOST_LANE),
    acceptBidi: () => conn.acceptBidi(),
    async acceptUni() {
      const stream = await conn.acceptUni();
      return stream && receiving(stream);
    },
    close: (code, reason) => conn.close(code, reason),
  };
}
