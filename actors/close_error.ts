/**
 * What it means here that a peer closed the connection.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import type { CloseInfo } from "../transport/transport.ts";

/** The error that a close by the peer stands for; `undefined` when it gave no reason. */
export function closeError(
  info: CloseInfo | undefined,
): SftpxError | undefined {
  if (info === undefined || !info.remote) return undefined;
  const { code, reason } = info;
  // A peer that has trouble of its own, or just left, may be back.
  if (code === undefined || code === "internal") return undefined;
  return new SftpxError(
    code,
    reason === "" ? `Cannot go on: the peer said "${code}"` : reason,
  );
}
