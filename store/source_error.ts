/**
 * Why something cannot be sent, in words that follow a name and a colon.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { ioError } from "./io_error.ts";

/** Says why `error` happened: what `ioError()` says, without the "Cannot". */
export function reasonOf(error: unknown): string {
  return error instanceof SftpxError
    ? error.message
    : ioError("", error).message.replace("Cannot : ", "");
}
