import { bytes, readMessage, string } from "./message.js";
import { readChild } from "./objectGraph.js";

/** What Keras says of a saved object: where it stands ("root.layer-1"), what it is, and its configuration as JSON. */
export interface KerasObject {
  readonly path: string;
  readonly identifier: string;
  readonly metadata: string;
}

/** Reads keras_metadata.pb (keras/protobuf/saved_metadata.proto), which TensorFlow 2.5 and later write. */
export function readMetadata(content: Uint8Array): readonly KerasObject[] {
  const objects: KerasObject[] = [];
  readMessage(content, {
    1: bytes((node) => {
      const object = { path: "", identifier: "", metadata: "" };
      const set = (key: keyof typeof object) =>
        string((value) => {
          object[key] = value;
        });
      readMessage(node, { 3: set("path"), 4: set("identifier"), 5: set("metadata") });
      objects.push(object);
    }),
  });
  return objects;
}

/** What saved_model.pb says beside the graph of operations (tensorflow/core/protobuf/saved_model.proto). */
export interface Description {
  /** Of TensorFlow, which wrote it. */
  readonly version: string;
  /** The objects that Keras saved, as TensorFlow 2.0 to 2.4 kept them here. */
  readonly objects: readonly KerasObject[];
  /** Whether any objects were saved: TensorFlow 1 saved graphs alone. */
  readonly hasObjects: boolean;
}

export function readDescription(content: Uint8Array): Description {
  let version = "";
  const nodes: Saved[] = [];
  readMessage(content, {
    2: bytes((graph) =>
      readMessage(graph, {
        1: bytes((info) =>
          readMessage(info, {
            5: string((value) => {
              version = value;
            }),
          }),
        ),
        7: bytes((objects) => readMessage(objects, { 1: bytes((node) => nodes.push(readSaved(node))) })),
      }),
    ),
  });
  return { version, objects: placed(nodes), hasObjects: nodes.length > 0 };
}

interface Saved {
  readonly children: readonly { readonly id: number; readonly name: string }[];
  readonly identifier: string;
  readonly metadata: string;
}

/** A SavedObject (tensorflow/core/protobuf/saved_object_graph.proto). */
function readSaved(content: Uint8Array): Saved {
  const children: { id: number; name: string }[] = [];
  const user = { identifier: "", metadata: "" };
  readMessage(content, {
    1: bytes((child) => children.push(readChild(child))),
    4: bytes((object) =>
      readMessage(object, {
        1: string((value) => {
          user.identifier = value;
        }),
        3: string((value) => {
          user.metadata = value;
        }),
      }),
    ),
  });
  return { children, ...user };
}

/** Objects of Keras among the saved ones, under the first path that leads to each. */
function placed(nodes: readonly Saved[]): readonly KerasObject[] {
  const paths = new Map<number, string>([[0, "root"]]);
  for (const [id, path] of paths) {
    for (const child of nodes[id]?.children ?? []) {
      if (!paths.has(child.id)) paths.set(child.id, `${path}.${child.name}`);
    }
  }
  return [...paths].flatMap(([id, path]) => {
    const { identifier = "", metadata = "" } = nodes[id] ?? {};
    return identifier.startsWith("_tf_keras") ? [{ path, identifier, metadata }] : [];
  });
}
