/**
 * The page of a router: what it is, and what its operator says.
 *
 * @module
 */
import { INFORMATION_KEYS, type RouterSettings } from "./settings.ts";

/** What the page says. */
export type PageSettings = Pick<
  RouterSettings,
  "information" | "newFiles" | "createPassword" | "ttlS" | "logStats"
>;

/** Writes the page. Nothing in it is loaded from elsewhere, and there is no script. */
export function routerPage(
  settings: PageSettings,
  address: string,
  version: string,
): string {
  const { information, newFiles, createPassword, ttlS, logStats } = settings;
  const rows: [string, string][] = [
    ["Address", address],
    ["Version", `SFTPX ${version}`],
    ["Stores new files", newFiles ? "yes" : "no"],
    ["Asks for a password", createPassword === undefined ? "no" : "yes"],
    ["Keeps them for", ttlS === undefined ? "ever" : `${ttlS / 3600} hours`],
    ["Keeps daily statistics", logStats ? "yes" : "no"],
    ...INFORMATION_KEYS.flatMap((key): [string, string][] => {
      const value = information[key];
      return value === undefined ? [] : [[titleOf(key), value]];
    }),
  ];
  const body = rows.map(([name, value]) =>
    `<tr><th>${escapeHtml(name)}</th><td>${linked(value)}</td></tr>`
  );
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>XFTP router</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 45rem; margin: 3rem auto; padding: 0 1rem }
th { text-align: left; padding-right: 2rem; vertical-align: top; font-weight: 600 }
td { overflow-wrap: anywhere }
</style>
<h1>XFTP router</h1>
<p>This machine keeps encrypted pieces of files until they are fetched. It cannot
read them, and knows neither their names nor which pieces belong together.</p>
<table>
${body.join("\n")}
</table>
</html>
`;
}

/** `admin_email` as people say it. */
function titleOf(key: string): string {
  const words = key.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function linked(value: string): string {
  const text = escapeHtml(value);
  return /^https:\/\/[^\s"'<>]+$/.test(value)
    ? `<a href="${text}" rel="nofollow noreferrer">${text}</a>`
    : text;
}

/** Text as HTML has it. */
export function escapeHtml(text: string): string {
  return text.replace(
    /[&<>"']/g,
    (character) => `&#${character.charCodeAt(0)};`,
  );
}
