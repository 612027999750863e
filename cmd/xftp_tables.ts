/**
 * Every setting of `sftpx xftp`.
 *
 * @module
 */
import { string } from "@optique/core/valueparser";
import { one } from "./settings.ts";
import { ATTEMPTS, FETCH, STORE, YES } from "./store_tables.ts";
import { RECV, SEND } from "./tables.ts";

/** What `xftp send` can be told. */
export const XFTP_SEND = {
  ...STORE,
  name: one(
    "name",
    string({ metavar: "NAME" }),
    "What the stored file or archive is called",
  ),
  follow: SEND.follow,
  exclude: SEND.exclude,
  ignoreFile: SEND.ignoreFile,
  fresh: SEND.fresh,
  resumeDir: SEND.resumeDir,
};

/** What `xftp recv` can be told. */
export const XFTP_RECV = {
  uploadDir: RECV.uploadDir,
  name: one(
    "name",
    string({ metavar: "NAME" }),
    "What the file is called, whatever the sender says",
  ),
  onConflict: RECV.onConflict,
  links: RECV.links,
  allowHidden: RECV.allowHidden,
  maxSize: RECV.maxSize,
  maxFiles: RECV.maxFiles,
  keepFree: RECV.keepFree,
  resumeDir: RECV.resumeDir,
  ...FETCH,
};

/** What `xftp del` can be told. */
export const XFTP_DEL = { ...YES, ...ATTEMPTS };

/** What config.yaml can say of it beyond the other commands. */
export const XFTP_ALL = { ...XFTP_SEND, ...XFTP_RECV, ...XFTP_DEL };
