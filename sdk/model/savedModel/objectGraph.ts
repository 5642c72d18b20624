import { bytes, readMessage, string, whole } from "./message.js";

/** A node of the graph of objects that were saved: the objects it holds by name, and the variable that it is. */
export interface TrackedObject {
  readonly children: ReadonlyMap<string, number>;
  readonly variable?: { readonly name: string; readonly key: string };
}

/** Reads a TrackableObjectGraph (tensorflow/core/protobuf/trackable_object_graph.proto); the first node is the model. */
export function readObjectGraph(content: Uint8Array): readonly TrackedObject[] {
  const nodes: TrackedObject[] = [];
  readMessage(content, { 1: bytes((node) => nodes.push(readNode(node))) });
  return nodes;
}

function readNode(content: Uint8Array): TrackedObject {
  const children = new Map<string, number>();
  let variable: TrackedObject["variable"];
  readMessage(content, {
    1: bytes((child) => {
      const { id, name } = readChild(child);
      children.set(name, id);
    }),
    2: bytes((attribute) => {
      const { kind, name, key } = readAttribute(attribute);
      if (kind === "VARIABLE_VALUE") variable = { name, key };
    }),
  });
  return variable ? { children, variable } : { children };
}

/** An ObjectReference. */
export function readChild(content: Uint8Array): { id: number; name: string } {
  const child = { id: 0, name: "" };
  readMessage(content, {
    1: whole((value) => {
      child.id = value;
    }),
    2: string((value) => {
      child.name = value;
    }),
  });
  return child;
}

function readAttribute(content: Uint8Array): { kind: string; name: string; key: string } {
  const attribute = { kind: "", name: "", key: "" };
  const set = (key: keyof typeof attribute) =>
    string((value) => {
      attribute[key] = value;
    });
  readMessage(content, { 1: set("kind"), 2: set("name"), 3: set("key") });
  return attribute;
}
