import { relative, sep } from "node:path";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { groups, LONG } from "./test/groups.mjs";

/** All groups are one run, and the long suites begin first, so that every core is busy until the end. */
class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const place = LONG.indexOf(
        relative(import.meta.dirname, moduleId)
          .split(sep)
          .join("/"),
      );
      return place < 0 ? LONG.length : place;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  test: {
    // One process per file: an engine belongs to a process. Two at a time, since each engine uses all cores.
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    sequence: { sequencer: LongFirst },
    projects: groups.map(({ name, places, env = {} }) => ({
      extends: true as const,
      test: {
        ...{ name, env },
        include: places.map((place) =>
          place.endsWith(".ts") ? `test/${place}` : `test/${place}/**/*.test.ts`,
        ),
        // The quick ones first, alone.
        sequence: { groupOrder: name === "smoke" ? 0 : 1 },
      },
    })),
  },
});
