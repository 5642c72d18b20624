import { afterAll, beforeAll, expect, test } from "vitest";
import { datasets } from "../../datasets/index.js";
import { directory } from "./files.js";

const { AUTOQNN_ENGINE } = process.env;
beforeAll(() => {
  process.env.AUTOQNN_ENGINE = "reference";
});
afterAll(() => {
  if (AUTOQNN_ENGINE === undefined) delete process.env.AUTOQNN_ENGINE;
  else process.env.AUTOQNN_ENGINE = AUTOQNN_ENGINE;
});

test("the reference engine decodes no images, and says so", async () => {
  await expect(datasets.imageFolder(directory())).rejects.toEqual(
    expect.objectContaining({ code: "engine", message: expect.stringMatching(/native engine to decode/) }),
  );
});
