import { createHmac, randomUUID, timingSafeEqual } from "node:crypto";
import { AutoqnnError } from "../errors.js";

/** A JSON object, as the parts of a message are. */
export type Json = Readonly<Record<string, unknown>>;

/** Who sent a message, when, and what it is. */
export interface Header extends Json {
  readonly msg_id: string;
  readonly msg_type: string;
  readonly session: string;
  readonly username: string;
}

/** A message of Jupyter's protocol. `identities` are the routing frames before it, `buffers` the binary frames after it. */
export interface Message {
  readonly identities: readonly Buffer[];
  readonly header: Header;
  readonly parent: Header | Json;
  readonly metadata: Json;
  readonly content: Json;
  readonly buffers: readonly Buffer[];
}

const DELIMITER = Buffer.from("<IDS|MSG>");
const PROTOCOL = "5.3";

/**
 * The signed form of messages on ZeroMQ: identities, a delimiter, HMAC-SHA256 in hex over the four JSON parts, the parts,
 * buffers (https://jupyter-client.readthedocs.io/en/stable/messaging.html, "The wire protocol").
 */
export class Wire {
  readonly #session = randomUUID();

  constructor(readonly key: string) {}

  /** Frames to a message. Throws AutoqnnError `bad-data` where the signature or the form is not right. */
  decode(frames: readonly Buffer[]): Message {
    const start = frames.findIndex((frame) => frame.equals(DELIMITER));
    const [signature, ...rest] = frames.slice(start + 1);
    const parts = rest.slice(0, 4);
    if (start < 0 || !signature || parts.length < 4)
      throw new AutoqnnError(
        "bad-data",
        `Expected a message of Jupyter's protocol, received ${frames.length} frames without its form.`,
        "Connect with a Jupyter front end.",
      );
    if (!same(signature, Buffer.from(this.#sign(parts))))
      throw new AutoqnnError(
        "bad-data",
        "Expected a message signed with the kernel's key, received another signature.",
        "Use the connection file of this kernel.",
      );
    const [header, parent, metadata, content] = parts.map((part) => JSON.parse(part.toString("utf8")));
    return { identities: frames.slice(0, start), header, parent, metadata, content, buffers: rest.slice(4) };
  }

  /** A message to frames. */
  encode(message: Message): Buffer[] {
    const { identities, header, parent, metadata, content, buffers } = message;
    const parts = [header, parent, metadata, content].map((part) => Buffer.from(JSON.stringify(part)));
    return [...identities, DELIMITER, Buffer.from(this.#sign(parts)), ...parts, ...buffers];
  }

  /** A message of the kernel that answers, or is caused by, `parent`. */
  compose(
    type: string,
    content: Json,
    parent: Message | undefined,
    { identities = [], buffers = [], metadata = {} }: Partial<Message> = {},
  ): Message {
    const header: Header = {
      msg_id: randomUUID(),
      msg_type: type,
      session: this.#session,
      username: parent?.header.username ?? "kernel",
      date: new Date().toISOString(),
      version: PROTOCOL,
    };
    return { identities, header, parent: parent?.header ?? {}, metadata, content, buffers };
  }

  #sign(parts: readonly Buffer[]): string {
    const hmac = createHmac("sha256", this.key);
    for (const part of parts) hmac.update(part);
    return hmac.digest("hex");
  }
}

/** Compares in a time that does not tell how much agrees. */
function same(left: Buffer, right: Buffer): boolean {
  return left.length === right.length && timingSafeEqual(left, right);
}
