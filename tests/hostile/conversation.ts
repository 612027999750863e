/**
 * Frames of a conversation, as tests need them.
 *
 * @module
 */
import type {
  ControlFrame,
  Hello,
  Offer,
  Receipt,
  Welcome,
} from "../../protocol/control.ts";
import type { FileEntry } from "../../protocol/manifest.ts";

/** `length` bytes of one value. */
export function bytes(length: number, value = 1): Uint8Array {
  return new Uint8Array(length).fill(value);
}

/** A hello with some of its fields. */
export function hello(fields: Partial<Hello> = {}): Hello {
  return {
    type: "hello",
    version: 1,
    extra: false,
    session: bytes(32),
    life: bytes(16),
    nonce: bytes(16),
    proof: bytes(32),
    attempt: 1,
    connection: 0,
    ...fields,
  };
}

/** A welcome with some of its fields. */
export function welcome(fields: Partial<Welcome> = {}): Welcome {
  return {
    type: "welcome",
    version: 1,
    continued: false,
    life: bytes(16, 2),
    next: 0,
    window: 8192,
    maxLanes: 8,
    ...fields,
  };
}

/** An offer that says nothing special. */
export function offer(fields: Partial<Offer> = {}): Offer {
  return {
    type: "offer",
    checksum: false,
    b3sum: false,
    fresh: false,
    totalBytes: undefined,
    label: "",
    ...fields,
  };
}

/** The answer to an offer. */
export const ACCEPT: ControlFrame = { type: "accept" };

/** A receipt for nothing. */
export const RECEIPT: Receipt = {
  type: "receipt",
  root: bytes(32),
  entries: 0,
  bytes: 0,
  written: 0,
  skipped: 0,
  refused: 0,
};

/** A file of so many bytes. */
export function file(path: string, size = 1024 * 1024): FileEntry {
  return {
    kind: "file",
    path,
    mode: 0o644,
    mtimeNs: 0n,
    size,
    chunkSize: 1024 * 1024,
  };
}
