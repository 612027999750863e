/**
 * The pages of a router: one that says what it is, and files of its operator.
 *
 * The files are listed once, at the start: a path of a request is looked up and
 * never made into a path on disk.
 *
 * @module
 */
import { SftpxError } from "../../core/errors.ts";
import { ioError } from "../../store/io_error.ts";
import { absolute, fileIn } from "../../store/own_path.ts";

/** What answers those who look. */
export interface Site {
  /** Answers a GET or a HEAD. */
  answer(request: Request): Promise<Response>;
}

/** Files of an operator: more, or larger ones, are a mistake. */
const MAX_FILES = 1000;
const MAX_FILE_BYTES = 16 << 20;
const MAX_DEPTH = 4;

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  json: "application/json",
  txt: "text/plain; charset=utf-8",
  svg: "image/svg+xml",
  png: "image/png",
  ico: "image/x-icon",
  woff2: "font/woff2",
  wasm: "application/wasm",
};

/** A page is all of one piece: nothing is loaded from elsewhere. */
const PAGE_HEADERS: HeadersInit = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy":
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
};

/**
 * Creates the pages of a router.
 *
 * @param page Its own page, HTML.
 * @param dir Files of the operator, which come before the page.
 * @throws {SftpxError} `config`, when they cannot be listed.
 */
export async function openSite(page: string, dir?: string): Promise<Site> {
  const files = dir === undefined
    ? new Map<string, string>()
    : await listFiles(absolute(dir));
  return {
    async answer(request) {
      const { pathname } = new URL(request.url);
      const name = pathname.endsWith("/") ? `${pathname}index.html` : pathname;
      const file = files.get(name) ?? files.get(`${name}.html`);
      const content = file === undefined ? undefined : await read(file);
      if (file !== undefined && content !== undefined) {
        const extension = file.slice(file.lastIndexOf(".") + 1).toLowerCase();
        const type = TYPES[extension] ?? "application/octet-stream";
        return reply(request, content, 200, {
          "content-type": type,
          "x-content-type-options": "nosniff",
        });
      }
      return pathname === "/"
        ? reply(request, new TextEncoder().encode(page), 200, PAGE_HEADERS)
        : reply(request, new TextEncoder().encode("not found\n"), 404, {
          "content-type": "text/plain; charset=utf-8",
        });
    },
  };
}

/** Bytes that are worth the time to make them fewer. */
const WORTH_GZIP = 1024;

function reply(
  request: Request,
  content: Uint8Array<ArrayBuffer>,
  status: number,
  headers: HeadersInit,
): Response {
  const all = new Headers(headers);
  all.set("vary", "accept-encoding");
  const isText = /^text|json|svg|javascript/.test(
    all.get("content-type") ?? "",
  );
  const accepts = request.headers.get("accept-encoding") ?? "";
  if (request.method === "HEAD") {
    return new Response(null, { status, headers: all });
  }
  if (isText && content.length > WORTH_GZIP && /\bgzip\b/.test(accepts)) {
    all.set("content-encoding", "gzip");
    const zipped = new Blob([content]).stream()
      .pipeThrough(new CompressionStream("gzip"));
    return new Response(zipped, { status, headers: all });
  }
  return new Response(content, { status, headers: all });
}

async function read(
  file: string,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    return await Deno.readFile(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw ioError(`read "${file}"`, error);
  }
}

/** The files below `dir`, by the paths of requests. Links are not followed. */
async function listFiles(dir: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  const visit = async (
    folder: string,
    above: string,
    depth: number,
  ): Promise<void> => {
    for await (const { name, isFile, isDirectory } of Deno.readDir(folder)) {
      if (!/^[\w.=-]+$/.test(name) || name.startsWith("..")) continue;
      const at = fileIn(folder, name);
      if (isDirectory && depth < MAX_DEPTH) {
        await visit(at, above + name + "/", depth + 1);
      }
      if (!isFile || (await Deno.stat(at)).size > MAX_FILE_BYTES) continue;
      if (files.size >= MAX_FILES) {
        throw new SftpxError(
          "config",
          `Cannot use folder of pages "${dir}": it has more than ${MAX_FILES} files`,
        );
      }
      files.set(above + name, at);
    }
  };
  try {
    await visit(dir, "/", 0);
  } catch (error) {
    if (error instanceof SftpxError) throw error;
    const { message } = ioError(`use folder of pages "${dir}"`, error);
    throw new SftpxError("config", message, error);
  }
  return files;
}
