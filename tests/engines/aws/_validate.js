// Reads one state machine definition per line, and writes for each what two validators say of it.
"use strict";

const readline = require("node:readline");
const path = require("node:path");

const home = path.join(process.argv[2], "node_modules");

// asl-validator compiles its schemas for every definition; one compilation serves them all.
const paths = { paths: [path.join(home, "asl-validator")] };
const ajv = require(require.resolve("ajv", paths));
const formats = require(require.resolve("ajv-formats", paths));
const Ajv = ajv.default;
const register = formats.default;
let compiled;
ajv.default = function OneAjv(options) {
  compiled ??= register(new Ajv(options));
  return compiled;
};
formats.default = (instance) => instance;

const asl = require(path.join(home, "asl-validator"));
const service = require(path.join(home, "amazon-states-language-service"));
const language = service.getLanguageService({});

async function judge(text) {
  const first = asl(JSON.parse(text), { checkPaths: true, checkArn: true });
  const document = service.TextDocument.create("file://m.asl.json", "asl", 1, text);
  const parsed = language.parseJSONDocument(document);
  const second = await language.doValidation(document, parsed);
  return [
    ...first.errors.map((error) => `asl-validator: ${error["Error code"]} ${error.Message || JSON.stringify(error)}`),
    ...second.map((found) => `language-service: ${found.message} (line ${found.range.start.line + 1})`),
  ];
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await judge(JSON.parse(line)))}\n`);
  }
}

main();
