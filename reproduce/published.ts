/** What others report: top-1 accuracy in percent, by the bits of weights and inputs, beside the network in floating point. */
export interface Published {
  readonly method: string;
  readonly network: "AlexNet" | "ResNet18" | "ResNet20" | "ResNet56";
  readonly data: "ImageNet" | "CIFAR-10";
  /** Accuracy by bits, the same for weights and inputs; on average where the method allots them. */
  readonly bits: Readonly<Record<number, number>>;
  /** Of the network in floating point, where it is stated beside them. */
  readonly floating?: number;
  /** The paper, and where its numbers were read if elsewhere. */
  readonly source: string;
}

const AUTOQNN = "Gong et al., AutoQNN, JCST 2024, arXiv 2304.03782";
const N2UQ = "Liu et al., Nonuniform-to-uniform quantization, CVPR 2022, arXiv 2111.14826";
const APOT =
  "Li et al., Additive powers-of-two quantization, ICLR 2020, arXiv 1909.13144; table of the authors' code";
const LQ_NETS = "Zhang et al., LQ-Nets, ECCV 2018, arXiv 1807.10029; table of the authors' code";
const EDMIPS = "Cai and Vasconcelos, EdMIPS, CVPR 2020, arXiv 2004.05795; table of the authors' code";
const HAWQ = "Yao et al., HAWQ-V3, ICML 2021, arXiv 2011.10680; table of the authors' code";

/** Numbers that were read where a later paper compares with them. */
const listed = (paper: string): string => `${paper}; as listed by the authors of N2UQ`;

/**
 * The numbers that this project's are put beside. Networks, epochs and what stays in 8 bits or in floating point (mostly
 * the first and the last layer) differ from paper to paper: a difference of some tenths says nothing.
 *
 * EdMIPS averages 1.992 bits by bit operations; "uniform" is its own training with 2 bits everywhere. HAWQ-V3 folds batch
 * normalization and computes in integers alone; its rows of mixed precision have 4 and 8 bits, and no average to stand under.
 */
export const PUBLISHED: readonly Published[] = [
  ...[
    { method: "AutoQNN", network: "AlexNet" as const, bits: { 2: 59.75 }, floating: 60.01, source: AUTOQNN },
    { method: "LQ-Nets", network: "AlexNet" as const, bits: { 2: 57.4 }, source: LQ_NETS },
    { method: "AutoQNN", network: "ResNet18" as const, bits: { 2: 68.86 }, floating: 69.62, source: AUTOQNN },
    {
      ...{ method: "DoReFa", network: "ResNet18" as const, bits: { 2: 64.7, 3: 67.5, 4: 68.1 } },
      source: listed("Zhou et al., DoReFa-Net, arXiv 1606.06160"),
    },
    {
      ...{ method: "PACT", network: "ResNet18" as const, bits: { 2: 64.4, 3: 68.1, 4: 69.2 } },
      source: listed("Choi et al., PACT, arXiv 1805.06085"),
    },
    {
      ...{ method: "LQ-Nets", network: "ResNet18" as const, bits: { 2: 64.9, 3: 68.2, 4: 69.3 } },
      source: LQ_NETS,
    },
    {
      ...{ method: "LSQ", network: "ResNet18" as const, bits: { 2: 67.6, 3: 70.2, 4: 71.1 } },
      source: listed("Esser et al., Learned step size quantization, ICLR 2020, arXiv 1902.08153"),
    },
    { method: "APoT", network: "ResNet18" as const, bits: { 2: 66.5, 3: 69.8, 4: 70.7 }, source: APOT },
    { method: "N2UQ", network: "ResNet18" as const, bits: { 2: 69.4, 3: 71.9, 4: 72.9 }, source: N2UQ },
    { method: "EdMIPS, uniform", network: "ResNet18" as const, bits: { 2: 65.1 }, source: EDMIPS },
    { method: "EdMIPS", network: "ResNet18" as const, bits: { 2: 65.9 }, source: EDMIPS },
    {
      ...{ method: "HAWQ-V3, uniform", network: "ResNet18" as const, bits: { 4: 68.45 } },
      ...{ floating: 71.47, source: HAWQ },
    },
  ].map((row) => ({ ...row, data: "ImageNet" as const })),
  ...[
    { network: "ResNet20" as const, bits: { 2: 90.96, 3: 92.49, 4: 92.45 }, floating: 92.96 },
    { network: "ResNet56" as const, bits: { 2: 93.05, 3: 93.77, 4: 93.93 }, floating: 94.46 },
  ].map((row) => ({ ...row, method: "APoT", data: "CIFAR-10" as const, source: APOT })),
];
