/**
 * Vaults for tests: what files come into, over real folders.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { openJournal } from "../../store/journal.ts";
import { openRoot, type PartialDir, type Root } from "../../store/root.ts";
import { createVault, type Vault, type VaultDeps } from "../../store/vault.ts";
import { SESSION } from "./root.ts";
import { tempDir } from "./temp.ts";

/** A vault, and what it stands on. */
export interface TestVault {
  readonly root: Root;
  readonly partial: PartialDir;
  readonly vault: Vault;
  /** Bytes that are reserved. */
  reserved(): number;
}

/** Not BLAKE3, which the store does not know, but as good for what tests look at. */
export function digest(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHash("sha256").update(bytes).digest());
}

/** Runs `body` with a vault over `root`, whose journal is `file`. */
export async function withVaultOf(
  root: Root,
  file: string,
  body: (bench: TestVault) => Promise<void>,
  options: Partial<VaultDeps> = {},
): Promise<void> {
  const { journal } = await openJournal({
    file,
    session: Uint8Array.fromHex(SESSION),
    root: root.dir,
    digest,
  });
  const partial = await root.partial(SESSION);
  let reserved = 0;
  const vault = createVault({
    root,
    partial,
    journal,
    digest: (bytes) => Promise.resolve({ digest: digest(bytes), bytes }),
    onConflict: "rename",
    checksum: false,
    reserve: (bytes) => Promise.resolve(void (reserved += bytes)),
    reserveNow(bytes) {
      reserved += bytes;
      return true;
    },
    release: (bytes) => void (reserved -= bytes),
    ...options,
  });
  try {
    await body({ root, partial, vault, reserved: () => reserved });
  } finally {
    vault.close();
    partial.close();
    await journal.close();
  }
}

/** The same over an upload folder of its own. */
export async function withVault(
  body: (bench: TestVault) => Promise<void>,
  options?: Partial<VaultDeps>,
): Promise<void> {
  await using dir = await tempDir();
  const root = await openRoot(dir.join("up"));
  try {
    await withVaultOf(root, dir.join("session.bitmap"), body, options);
  } finally {
    root.close();
  }
}
