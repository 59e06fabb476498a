"use strict";
// solc's command line over soljson, as far as forge and py-solc-x use it: `--version`, and
// `--standard-json` with the input on stdin.

const fs = require("node:fs");
const path = require("node:path");

const WITH_VALUE = new Set(["--allow-paths", "--base-path", "--include-path"]);

function parseArguments(argv) {
  const options = { mode: undefined, roots: [process.cwd()] };
  for (let i = 0; i < argv.length; i += 1) {
    const [name, inline] = argv[i].split(/=(.*)/s, 2);
    if (name === "--version" || name === "--standard-json") {
      options.mode = name;
    } else if (WITH_VALUE.has(name)) {
      const value = inline ?? argv[(i += 1)];
      if (value === undefined) fail(`${name} needs a value`);
      if (name === "--base-path") options.roots[0] = value;
      if (name === "--include-path") options.roots.push(value);
    } else if (argv[i] !== "-") {
      fail(`unknown argument ${argv[i]}`);
    }
  }
  if (options.mode === undefined) fail("expected --version or --standard-json");
  return options;
}

function fail(message) {
  process.stderr.write(`solc: ${message}\n`);
  process.exit(2);
}

function loadCompiler() {
  // soljson prints `>>> ` lines of its own; stdout belongs to the answer alone.
  const print = console.log;
  console.log = () => {};
  try {
    return require("solc/wrapper")(require("solc/soljson.js"));
  } catch (error) {
    if (error.code !== "MODULE_NOT_FOUND") throw error;
    return fail("soljson is not installed; run `make setup` in the project's root");
  } finally {
    console.log = print;
  }
}

// Large inputs overflow soljson's stack while it parses them, so the sources are handed over one
// at a time by its read callback.
function detachSources(input) {
  const contents = new Map();
  for (const [name, source] of Object.entries(input.sources ?? {})) {
    if (typeof source.content === "string") {
      contents.set(name, source.content);
      input.sources[name] = { ...source, content: undefined, urls: [name] };
    }
  }
  return contents;
}

function reader(contents, roots) {
  return (name) => {
    if (contents.has(name)) return { contents: contents.get(name) };
    for (const root of roots) {
      const file = path.resolve(root, name);
      if (fs.existsSync(file)) return { contents: fs.readFileSync(file, "utf8") };
    }
    return { error: `file not found: ${name}` };
  };
}

function withoutNoise(text) {
  return text
    .split("\n")
    .filter((line) => !line.startsWith(">>> "))
    .join("\n");
}

const options = parseArguments(process.argv.slice(2));
if (options.mode === "--version") {
  const version = loadCompiler().version();
  fs.writeSync(1, `solc, the solidity compiler commandline interface\nVersion: ${version}\n`);
} else {
  let input;
  try {
    input = JSON.parse(withoutNoise(fs.readFileSync(0, "utf8")));
  } catch (error) {
    fail(`standard input is not JSON: ${error.message}`);
  }
  const contents = detachSources(input);
  const output = loadCompiler().compile(JSON.stringify(input), {
    import: reader(contents, options.roots),
  });
  process.stdout.write(withoutNoise(output));
}
