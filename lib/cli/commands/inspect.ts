import type { Command } from "commander";
import { type InspectItem, KvStore } from "../../mod.ts";
import { integerBetween } from "../argument.ts";
import type { Output } from "../descriptor.ts";
import type { GlobalOptions } from "../global_options.ts";
import { untilInterrupted } from "../interruption.ts";
import { escapeControls, quoted } from "../terminal_text.ts";
import { formatQuantity, jsonValue } from "../text_format.ts";

interface InspectCommandOptions extends GlobalOptions {
  limit?: number;
  values?: true;
}

const OFFSET_WIDTH = 10;
const OP_WIDTH = 12;

/** `cairn inspect` */
export function addInspect(program: Command, stdout: Output): void {
  program.command("inspect")
    .description("show what a file of a store holds, frame by frame; only reads it")
    .argument("<file>", "a segment, a hint file, CHECKPOINT, ACTIVE, NODE_ID or LOCK")
    .option("--limit <n>", "at most so many lines", integerBetween(0, Number.MAX_SAFE_INTEGER))
    .option("--values", "with the values")
    .addHelpText(
      "after",
      "\nDamage is shown and passed over, and does not change the exit code: a torn write at the\n" +
        "end of a log is in order. 'cairn verify' judges. Keys and values are escaped: --json is\n" +
        "exact, one object a line.\n\nExamples:\n" +
        "  cairn inspect shop/wal/0000000001.log --limit 20\n" +
        "  cairn inspect shop/wal/ACTIVE --json",
    )
    .action(async (file: string, _options, command: Command) => {
      const options = command.optsWithGlobals<InspectCommandOptions>();
      const { json, limit = Infinity, values = false } = options;
      let lines = 0;
      for await (const item of untilInterrupted(KvStore.inspect(file, { values }))) {
        if (lines++ >= limit) break;
        stdout.writeLine(json ? toJson(item) : escapeControls(toText(item)));
      }
      stdout.flush();
    });
}

function toJson(item: InspectItem): string {
  if (!("key" in item)) return JSON.stringify(item);
  const { key, ...rest } = item;
  const { value: keyText, encoding: keyEncoding } = jsonValue(key);
  return JSON.stringify({
    ...rest,
    key: keyText,
    ...(keyEncoding === undefined ? {} : { keyEncoding }),
    ...("value" in item && item.value !== undefined ? jsonValue(item.value) : {}),
  });
}

function toText(item: InspectItem): string {
  if (item.kind === "file") {
    return `${item.path}: ${item.type}, ${formatQuantity(item.size, "byte")}`;
  }
  return `${String(item.offset).padStart(OFFSET_WIDTH)}  ${describe(item)}`;
}

function describe(item: Exclude<InspectItem, { kind: "file" }>): string {
  switch (item.kind) {
    case "record":
      return [
        `${item.op.padEnd(OP_WIDTH)}  LSN ${item.lsn}`,
        `key ${showBytes(item.key)}`,
        ...(item.valueLength === undefined ? [] : [`${item.valueLength} B`]),
        ...showExpiry(item.expiresAt),
        `CRC ${showCrc(item.crc)} ok`,
        ...(item.value === undefined ? [] : [`value ${decode(item.value)}`]),
      ].join(", ");
    case "control":
      return `${item.op.padEnd(OP_WIDTH)}  LSN ${item.lsn}, ${showFields(item.fields)}, ` +
        `CRC ${showCrc(item.crc)} ok`;
    case "entry":
      return [
        `${item.op.padEnd(OP_WIDTH)}  LSN ${item.lsn}`,
        `key ${showBytes(item.key)}`,
        `at ${item.recordOffset}, ${item.recordLength} B`,
        ...showExpiry(item.expiresAt),
        `CRC ${showCrc(item.recordCrc)}`,
      ].join(", ");
    case "fields":
      return showFields(item.fields);
    case "damage":
      return `${"DAMAGE".padEnd(OP_WIDTH)}  ${formatQuantity(item.length, "byte")}: ` +
        item.message + (item.claims === undefined ? "" : `; it says ${showFields(item.claims)}`);
  }
}

function showFields(fields: Record<string, unknown>): string {
  return Object.entries(fields).map(([name, value]) => `${name} ${value}`).join(", ");
}

function showExpiry(expiresAt: number | undefined): string[] {
  if (expiresAt === undefined) return [];
  const date = new Date(expiresAt);
  return [`expires ${Number.isNaN(date.getTime()) ? expiresAt : date.toISOString()}`];
}

function showCrc(crc: number): string {
  return crc.toString(16).padStart(8, "0");
}

function showBytes(bytes: Uint8Array): string {
  return quoted(decode(bytes));
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}
