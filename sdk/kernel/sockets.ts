import { Publisher, Reply, Router } from "zeromq";
import { address, type Connection } from "./connection.js";

/** The frames of one message. */
type Frames = readonly Buffer[];

/** Sends one message after the other: ZeroMQ refuses a second while a first waits. */
class Outbox {
  #last: Promise<void> = Promise.resolve();

  constructor(readonly socket: Publisher | Router) {}

  send(frames: Frames): void {
    const sent = this.#last.then(() => this.socket.send([...frames]));
    // A peer that is gone, or sockets that closed: nobody waits for this message any more.
    this.#last = sent.catch(() => undefined);
  }

  async close(): Promise<void> {
    await this.#last;
    this.socket.close();
  }
}

/** The five sockets of a kernel. */
export interface Sockets {
  readonly shell: Outbox;
  readonly control: Outbox;
  readonly stdin: Outbox;
  readonly iopub: Outbox;
  /** Sends what waits, then closes. */
  close(): Promise<void>;
}

/** Milliseconds that a closed socket still tries to send what waits in it. */
const LINGER = 1000;

/** Binds the sockets and calls `receive` for every message on shell, control and stdin. The heartbeat is answered here. */
export async function openSockets(
  connection: Connection,
  receive: (channel: "shell" | "control" | "stdin", frames: Buffer[]) => void,
): Promise<Sockets> {
  const options = { linger: LINGER, ipv6: connection.ip.includes(":") };
  const routers = {
    shell: new Router({ ...options, handover: true }),
    control: new Router({ ...options, handover: true }),
    stdin: new Router({ ...options, handover: true }),
  };
  // A bound on what waits would drop messages without a word; what a cell prints is bounded where it is read.
  const iopub = new Publisher({ ...options, sendHighWaterMark: 0 });
  const heartbeat = new Reply(options);
  await Promise.all([
    routers.shell.bind(address(connection, connection.shell_port)),
    routers.control.bind(address(connection, connection.control_port)),
    routers.stdin.bind(address(connection, connection.stdin_port)),
    iopub.bind(address(connection, connection.iopub_port)),
    heartbeat.bind(address(connection, connection.hb_port)),
  ]);
  void echo(heartbeat);
  for (const channel of ["shell", "control", "stdin"] as const) void listen(channel);
  async function listen(channel: "shell" | "control" | "stdin"): Promise<void> {
    for await (const frames of routers[channel]) receive(channel, frames);
  }
  const outboxes = {
    shell: new Outbox(routers.shell),
    control: new Outbox(routers.control),
    stdin: new Outbox(routers.stdin),
    iopub: new Outbox(iopub),
  };
  return {
    ...outboxes,
    async close() {
      heartbeat.close();
      await Promise.all(Object.values(outboxes).map((outbox) => outbox.close()));
    },
  };
}

async function echo(heartbeat: Reply): Promise<void> {
  for await (const frames of heartbeat) await heartbeat.send(frames);
}
