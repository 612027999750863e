/**
 * The programs of all Workers: each begins where its name is given.
 *
 * @module
 */
import "./file_worker.ts";
import "./hash_worker.ts";
import "./lane_worker.ts";
