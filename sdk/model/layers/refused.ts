const CODE = "Replace it by layers: it runs code of another framework.";
const STRINGS = "Do it in the data, and save the model from there on: tensors here hold numbers.";
const LOOKUP = "Do it in the data, and save the model from there on: its table lies beside the model.";
const IMAGES = "Do it in the data, and save the model from there on.";
const SOUND = "Make the spectrogram in the data, and save the model from there on.";
const ABSTRACT = "Save the model with the layer that stands in its place: this class computes nothing.";

/** Layers of Keras that no class stands for, each with what to do instead. */
export const REFUSED: Readonly<Record<string, string>> = {
  Lambda: "Replace it by layers: code inside a model file is never run.",
  FlaxLayer: CODE,
  JaxLayer: CODE,
  TFSMLayer: CODE,
  TorchModuleWrapper: CODE,
  StringLookup: STRINGS,
  TextVectorization: STRINGS,
  Hashing: STRINGS,
  HashedCrossing: STRINGS,
  IntegerLookup: LOOKUP,
  DenseFeatures: LOOKUP,
  AutoContrast: IMAGES,
  ContrastLimitedAdaptiveHistogramEqualization: IMAGES,
  Solarization: IMAGES,
  MaxNumBoundingBoxes: IMAGES,
  Pipeline: "Put its layers into the model one after another.",
  MelSpectrogram: SOUND,
  STFTSpectrogram: SOUND,
  LocallyConnected1D: "Replace it by a convolution or a dense layer: Keras 3 has dropped it.",
  LocallyConnected2D: "Replace it by a convolution or a dense layer: Keras 3 has dropped it.",
  ReversibleEmbedding: "Use an Embedding, and a Dense layer where it is called the other way.",
  Layer: ABSTRACT,
  Wrapper: ABSTRACT,
  AbstractRNNCell: ABSTRACT,
};
