import { randomUUID } from "node:crypto";
import type { Json } from "../wire.js";
import { say } from "./channel.js";
import type { CommMessage } from "./protocol.js";

type Buffers = readonly Uint8Array[];

/** What a comm hands to those who listen. */
export type CommListener = (data: unknown, buffers: Buffers) => void | Promise<void>;

/** One open connection between cells and an object of the front end, such as a widget. */
export class Comm {
  #onMessage: CommListener = () => undefined;
  #onClose: CommListener = () => undefined;

  constructor(
    readonly id: string,
    readonly target: string,
  ) {}

  /** Sends data to the front end. */
  send(data: Json, buffers: Buffers = []): void {
    tell("comm_msg", { comm_id: this.id, data }, buffers);
  }

  /** Ends the connection. */
  close(data: Json = {}): void {
    open.delete(this.id);
    tell("comm_close", { comm_id: this.id, data }, []);
  }

  onMessage(listener: CommListener): void {
    this.#onMessage = listener;
  }

  onClose(listener: CommListener): void {
    this.#onClose = listener;
  }

  /** @internal Hands over what the front end sent. */
  async receive({ type, content, buffers }: CommMessage): Promise<void> {
    await (type === "comm_close" ? this.#onClose : this.#onMessage)(content.data, buffers);
  }
}

const open = new Map<string, Comm>();
const targets = new Map<string, (comm: Comm, data: unknown) => void>();

/** Connections with objects of the front end (https://jupyter-client.readthedocs.io/en/stable/messaging.html, "Custom Messages"). */
export const comms = {
  /** Says what happens when the front end opens a comm for this target. */
  register(target: string, onOpen: (comm: Comm, data: unknown) => void): void {
    targets.set(target, onOpen);
  },

  /** Opens a comm for a target of the front end. */
  open(target: string, data: Json = {}, buffers: Buffers = []): Comm {
    const comm = new Comm(randomUUID(), target);
    open.set(comm.id, comm);
    tell("comm_open", { comm_id: comm.id, target_name: target, data }, buffers);
    return comm;
  },
};

/** Hands a message of the front end to the comm that it is for. */
export async function receiveComm(message: CommMessage): Promise<void> {
  const { comm_id: id, target_name: target, data } = message.content;
  if (message.type !== "comm_open") {
    const comm = open.get(id);
    if (message.type === "comm_close") open.delete(id);
    return comm?.receive(message);
  }
  const onOpen = targets.get(String(target));
  // The protocol asks for a close where nobody knows the target.
  if (!onOpen) return tell("comm_close", { comm_id: id, data: {} }, []);
  const comm = new Comm(id, String(target));
  open.set(id, comm);
  onOpen(comm, data);
}

function tell(type: CommMessage["type"], content: CommMessage["content"], buffers: Buffers): void {
  say({ kind: "comm", message: { type, content, metadata: {}, buffers } });
}
