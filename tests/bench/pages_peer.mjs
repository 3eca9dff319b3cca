// The same job with html-rewriter-wasm, the streaming rewriter of the edge platforms, as one would write it for speed.
//
//     node pages_peer.mjs MODULE
//
// The first line of standard input is a JSON object: `files` (paths of pages), `hosts`, and `signatures` (of each inline
// rule, the strings that must all stand in one script). Every further line is a JSON object with `chunk` (bytes; 0 is whole
// pages) and `pages` (numbers of files) and asks for one round over these; it is answered by a line of JSON: `seconds` of CPU
// time, and `withheld`, a number by element name, `inline` for scripts in the page.
//
// It knows less than the gateway: no base, no styles, no handlers, no paths, no documents within documents, no hosts in code,
// and noscript, where most pixels stand, is text to it. Its figure is what the platform's rewriter reaches with the least that
// the job needs.
import { readFileSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const { HTMLRewriter } = (await import(pathToFileURL(process.argv[2]).href)).default;

/** What holds a URL, by element. */
const URL_ATTRIBUTES = {
    script: ["src"],
    iframe: ["src"],
    frame: ["src"],
    img: ["src", "srcset"],
    input: ["src"],
    link: ["href"],
    source: ["src", "srcset"],
    video: ["src", "poster"],
    audio: ["src"],
    track: ["src"],
    object: ["data"],
    embed: ["src"],
};
const AUTHORITY = /^[\s]*(?:https?:)?[/\\]{2}(?:[^/?#\\@]*@)?([^/?#\\:]+)/i;

// What is left of a script that has begun to go out: no JavaScript is valid after it.
const CUT = "\n\x01";

/** Whether *url* names one of *hosts*, or a name under it, by whole labels. */
function isVendors(url, hosts) {
    const found = AUTHORITY.exec(url);
    if (found === null) {
        return false;
    }
    let host = found[1].toLowerCase();
    for (;;) {
        if (hosts.has(host)) {
            return true;
        }
        const dot = host.indexOf(".");
        if (dot < 0) {
            return false;
        }
        host = host.slice(dot + 1);
    }
}

/** One page through one rewriter; the finished pieces go nowhere. */
async function rewrite(page, { hosts, fits, chunk, withheld }) {
    const rewriter = new HTMLRewriter(() => {});
    for (const [name, attributes] of Object.entries(URL_ATTRIBUTES)) {
        for (const attribute of attributes) {
            rewriter.on(`${name}[${attribute}]`, {
                element(element) {
                    const url = element.getAttribute(attribute);
                    if (isVendors(url, hosts)) {
                        element.setAttribute(`data-consent-${attribute}`, url);
                        element.removeAttribute(attribute);
                        withheld[name] = (withheld[name] ?? 0) + 1;
                    }
                },
            });
        }
    }
    let code = "";
    rewriter.on("script", {
        text(piece) {
            code += piece.text;
            if (piece.lastInTextNode) {
                if (fits(code)) {
                    piece.before(CUT);
                    withheld.inline = (withheld.inline ?? 0) + 1;
                }
                code = "";
            }
        },
    });
    try {
        for (let at = 0; at < page.length; at += chunk || page.length) {
            await rewriter.write(page.subarray(at, at + (chunk || page.length)));
        }
        await rewriter.end();
    } finally {
        rewriter.free();
    }
}

/** A question to a script: do all strings of one of *signatures* stand in it. One pattern first: the fastest way of those tried. */
function signatureTest(signatures) {
    const escaped = signatures.map(([first]) => first.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&"));
    const first = new RegExp([...new Set(escaped)].join("|"));
    return (code) => first.test(code) && signatures.some((all) => all.every((text) => code.includes(text)));
}

let job = null;
for await (const line of createInterface({ input: process.stdin })) {
    const told = JSON.parse(line);
    if (job === null) {
        job = {
            pages: told.files.map((file) => readFileSync(file)),
            hosts: new Set(told.hosts),
            fits: signatureTest(told.signatures),
        };
        continue;
    }
    const withheld = {};
    const before = process.cpuUsage();
    for (const number of told.pages) {
        await rewrite(job.pages[number], { ...job, chunk: told.chunk, withheld });
    }
    const spent = process.cpuUsage(before);
    process.stdout.write(`${JSON.stringify({ seconds: (spent.user + spent.system) / 1e6, withheld })}\n`);
}
