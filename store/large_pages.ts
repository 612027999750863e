/**
 * Memory in large pages.
 *
 * Linux maps memory in pages of 4 KiB, and of 2 MiB where it is asked to. What
 * comes from the network into a frame, is hashed there and goes to the disk from
 * there takes fewer looks into tables then, which on a virtual machine are long
 * ones, and a write past the cache is one piece and not 256: on the machine of
 * docs/performance.md a fifth of a receiver's processor time.
 *
 * Of a room in a large page the rest of that page is lost. So there should be
 * few, for what is used again and again.
 *
 * @module
 */
/** A large page, bytes. */
export const LARGE_PAGE_BYTES = 2 * 1024 * 1024;

/** `MADV_HUGEPAGE` of madvise(2). */
const MADV_HUGEPAGE = 14;
const SYMBOLS = {
  madvise: { parameters: ["usize", "usize", "i32"], result: "i32" },
} as const;

/**
 * Makes room for `length` bytes of which the one at `at` begins a large page.
 *
 * @returns `undefined` where there are no large pages, the library may not be
 * called, or one page is too small.
 */
export function largeRoom(
  length: number,
  at: number,
): Uint8Array<ArrayBuffer> | undefined {
  if (Deno.build.os !== "linux" || length - at > LARGE_PAGE_BYTES) {
    return undefined;
  }
  let library: Deno.DynamicLibrary<typeof SYMBOLS>;
  try {
    library = Deno.dlopen("libc.so.6", SYMBOLS);
  } catch {
    return undefined; // another C library, or no permission
  }
  try {
    const room = new Uint8Array(2 * LARGE_PAGE_BYTES + at);
    const address = addressOf(room);
    const page = Math.ceil((address + at) / LARGE_PAGE_BYTES) *
      LARGE_PAGE_BYTES;
    const isLarge = library.symbols.madvise(
      BigInt(page),
      BigInt(LARGE_PAGE_BYTES),
      MADV_HUGEPAGE,
    ) === 0;
    const start = page - at - address;
    return isLarge ? room.subarray(start, start + length) : undefined;
  } finally {
    library.close();
  }
}

/** Tells whether bytes lie in a room that `largeRoom()` made. */
export function isLarge(bytes: Uint8Array<ArrayBufferLike>): boolean {
  return bytes.buffer.byteLength >= 2 * LARGE_PAGE_BYTES &&
    bytes.length <= LARGE_PAGE_BYTES + LARGE_PAGE_BYTES / 2;
}

/** Where bytes lie in memory. It takes the permission to call libraries. */
export function addressOf(bytes: Uint8Array<ArrayBufferLike>): number {
  const pointer = Deno.UnsafePointer.of(bytes as Uint8Array<ArrayBuffer>);
  return Number(Deno.UnsafePointer.value(pointer));
}
