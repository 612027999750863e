/**
 * Every setting of `sftpx router` that is not in its configuration file.
 *
 * @module
 */
import { integer, string } from "@optique/core/valueparser";
import { path } from "@optique/run/valueparser";
import { many, one, toggle, valueOfKind } from "./settings.ts";
import { parseSize } from "./units.ts";

const DIR = path({ metavar: "DIR", type: "directory" });

const PLACE = {
  routerDir: one(
    "router-dir",
    DIR,
    "Where the router's configuration, identity and store log are (default router)",
  ),
};

const HOSTS = {
  host: many(
    "host",
    string({ metavar: "NAME" }),
    "A name or IP address of the router; the first is the one in its address",
  ),
};

/** What `router init` can be told. */
export const ROUTER_INIT = {
  quota: one(
    "quota",
    valueOfKind("SIZE", 0, parseSize),
    "Bytes that may be stored at most (50G); it must be said",
  ),
  files: one("files", DIR, "Where chunks go (default DIR/files)"),
  ...HOSTS,
  port: one(
    "port",
    integer({ metavar: "N", min: 1, max: 65_535 }),
    "Where to listen (default 443)",
  ),
  withPassword: toggle(
    "with-password",
    "Makes a password that those who store must know",
  ),
  ...PLACE,
};

/** What `router start` and `router status` can be told. */
export const ROUTER_START = { ...PLACE };

/** What `router cert` can be told. */
export const ROUTER_CERT = { ...HOSTS, ...PLACE };

/** What `router delete` can be told. */
export const ROUTER_DELETE = {
  yes: toggle("yes", "Does it without being asked", "-y"),
  ...PLACE,
};

/** All of these, for the configuration file. */
export const ROUTER = { ...ROUTER_INIT, ...ROUTER_CERT, ...ROUTER_DELETE };
