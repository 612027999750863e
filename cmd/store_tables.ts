/**
 * Settings of storing on routers and fetching from them, which several commands
 * have.
 *
 * @module
 */
import { integer, string } from "@optique/core/valueparser";
import { path } from "@optique/run/valueparser";
import { many, one, toggle } from "./settings.ts";

/** How often things are tried. */
export const ATTEMPTS = {
  attempts: one(
    "attempts",
    integer({ metavar: "N", min: 1, max: 1000 }),
    "How often a router is asked and dialled before it is given up (default 3)",
  ),
};

/** What becomes of descriptions. */
export const YES = {
  yes: toggle("yes", "Removes the description when it was used", "-y"),
};

const ROUTER = string({ metavar: "ADDRESS" });

/** What storing on routers can be told, by `xftp send` and by `send --router`. */
export const STORE = {
  router: many(
    "router",
    ROUTER,
    "A router, xftp://...; chunks are spread over all that are given",
  ),
  recipients: one(
    "recipients",
    integer({ metavar: "N", min: 1, max: 250 }),
    "How many may fetch it from routers, each with a link (default 1)",
    "-n",
  ),
  outDir: one(
    "out-dir",
    path({ metavar: "DIR", type: "directory" }),
    "Where the descriptions of stored files go (default .)",
  ),
  qr: toggle("qr", "Shows the link as a QR code; else only on a terminal"),
  ...ATTEMPTS,
};

/** What fetching can be told, by `xftp recv` and by `recv LINK`. */
export const FETCH = {
  unpack: toggle("unpack", "Unpacks folders; --no-unpack keeps the archive"),
  ...YES,
  ...ATTEMPTS,
};
