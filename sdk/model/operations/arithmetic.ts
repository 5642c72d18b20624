import * as tf from "@tensorflow/tfjs";
import { withoutGradient } from "../layers/layer.js";
import { floating, type Shape } from "./arguments.js";
import { binary, broadcast, choose, type Operation, type Operations, unary, widened } from "./row.js";

/** The largest finite number of float32. */
const LARGEST = 3.4028234663852886e38;

type Compare = (x: tf.Tensor, y: tf.Tensor) => tf.Tensor;

/** True is 1, false is 0; no gradient passes. */
const comparison = (f: Compare): Operation => binary((x, y) => withoutGradient(() => floating(f(x, y))));
const condition = (f: (x: tf.Tensor) => tf.Tensor): Operation =>
  unary((x) => withoutGradient(() => floating(f(x))));
/** tfjs's gradient of these does not sum over what was broadcast. */
const widely = (f: Compare): Operation => binary((x, y) => f(...(widened(x, y) as [tf.Tensor, tf.Tensor])));
const truth = (x: tf.Tensor): tf.Tensor => tf.notEqual(x, 0);
const logical = (f: Compare): Operation => comparison((x, y) => f(truth(x), truth(y)));

/** log(exp x + exp y), without overflow. */
const logAddExp = (x: tf.Tensor, y: tf.Tensor): tf.Tensor => {
  const difference = tf.sub(x, y);
  return tf.add(tf.add(y, tf.relu(difference)), tf.softplus(tf.neg(tf.abs(difference))));
};

const divideNoNan = (x: tf.Tensor, y: tf.Tensor): tf.Tensor => {
  const zero = (): tf.Tensor => tf.equal(y, 0);
  return choose(zero, tf.scalar(0), tf.div(x, choose(zero, tf.scalar(1), y)));
};

/** Values of a condition's side, with the shape that all three have together. */
const where: Operation = {
  compute: (a) => choose(() => truth(a.tensor("condition")), a.tensor("x"), a.tensor("y")),
  shape: (a) => broadcast(a.shape("condition"), a.shape("x"), a.shape("y")),
  valuewise: true,
};

const clip: Operation = unary((x, a) => {
  const low = a.has("min") ? tf.maximum(x, a.tensor("min")) : x;
  return a.has("max") ? tf.minimum(low, a.tensor("max")) : low;
});

/** Towards 0. */
const trunc = (x: tf.Tensor): tf.Tensor => tf.mul(tf.sign(x), tf.floor(tf.abs(x)));

const cast: Operation = unary((x, a) => {
  const dtype = a.word("dtype", "float32");
  if (/float/.test(dtype)) return x;
  if (dtype === "bool") return withoutGradient(() => floating(truth(x)));
  return /int/.test(dtype) ? trunc(x) : a.refuse("dtype", "a type of numbers");
});

const sum: Operation = {
  compute: (a) => a.tensors("xs").reduce((x, y) => tf.add(x, y)),
  shape: (a) => broadcast(...a.shapes("xs")),
  valuewise: true,
};

const filled = (value: (a: Parameters<Operation["compute"]>[0]) => number): Operation => ({
  compute: (a) => tf.fill([...a.shape("x")], value(a)),
  shape: (a): Shape => a.shape("x"),
});

/** Arithmetic, comparison and logic, value by value, with the shapes of the tensors brought together. */
export const ARITHMETIC: Operations = {
  add: { ...binary(tf.add), affine: true },
  subtract: { ...binary(tf.sub), affine: true },
  multiply: { ...binary(tf.mul), affine: true },
  divide: { ...binary(tf.div), affine: true },
  divideNoNan: binary(divideNoNan),
  floorDivide: binary((x, y) => tf.floor(tf.div(x, y))),
  mod: binary(tf.mod),
  truncatedMod: binary((x, y) => tf.sub(x, tf.mul(y, trunc(tf.div(x, y))))),
  power: binary(tf.pow),
  maximum: widely(tf.maximum),
  minimum: widely(tf.minimum),
  squaredDifference: binary((x, y) => tf.square(tf.sub(x, y))),
  atan2: binary(tf.atan2),
  hypot: binary((x, y) => tf.sqrt(tf.add(tf.square(x), tf.square(y)))),
  logAddExp: binary(logAddExp),
  logAddExp2: binary((x, y) => tf.div(logAddExp(tf.mul(x, Math.LN2), tf.mul(y, Math.LN2)), Math.LN2)),
  heaviside: binary((x, y) =>
    choose(
      () => tf.equal(x, 0),
      y,
      withoutGradient(() => floating(tf.greater(x, 0))),
    ),
  ),
  equal: comparison(tf.equal),
  notEqual: comparison(tf.notEqual),
  less: comparison(tf.less),
  lessEqual: comparison(tf.lessEqual),
  greater: comparison(tf.greater),
  greaterEqual: comparison(tf.greaterEqual),
  logicalAnd: logical(tf.logicalAnd),
  logicalOr: logical(tf.logicalOr),
  logicalXor: logical((x, y) => tf.notEqual(x.cast("int32"), y.cast("int32"))),
  logicalNot: condition((x) => tf.equal(x, 0)),
  addN: sum,
  where,
  clip,
  cast,
  identity: unary((x) => x),
  stopGradient: unary((x) =>
    tf.customGrad((y) => ({
      value: (y as tf.Tensor).clone(),
      gradFunc: (dy: tf.Tensor) => tf.zerosLike(dy),
    }))(x),
  ),
  zerosLike: filled(() => 0),
  onesLike: filled(() => 1),
  fullLike: filled((a) => a.number("value")),
  abs: unary(tf.abs),
  negative: unary(tf.neg),
  exp: unary(tf.exp),
  exp2: unary((x) => tf.exp(tf.mul(x, Math.LN2))),
  expm1: unary(tf.expm1),
  log: unary(tf.log),
  log1p: unary(tf.log1p),
  log2: unary((x) => tf.div(tf.log(x), Math.LN2)),
  log10: unary((x) => tf.div(tf.log(x), Math.LN10)),
  sqrt: unary(tf.sqrt),
  rsqrt: unary(tf.rsqrt),
  cbrt: unary((x) => tf.mul(tf.sign(x), tf.pow(tf.abs(x), 1 / 3))),
  square: unary(tf.square),
  reciprocal: unary(tf.reciprocal),
  sin: unary(tf.sin),
  cos: unary(tf.cos),
  tan: unary(tf.tan),
  asin: unary(tf.asin),
  acos: unary(tf.acos),
  atan: unary(tf.atan),
  sinh: unary(tf.sinh),
  cosh: unary(tf.cosh),
  asinh: unary(tf.asinh),
  acosh: unary(tf.acosh),
  atanh: unary(tf.atanh),
  sinc: unary((x) => {
    const angle = tf.mul(x, Math.PI);
    const zero = (): tf.Tensor => tf.equal(x, 0);
    const safe = choose(zero, tf.scalar(1), angle);
    return choose(zero, tf.scalar(1), tf.div(tf.sin(safe), safe));
  }),
  degreesToRadians: unary((x) => tf.mul(x, Math.PI / 180)),
  radiansToDegrees: unary((x) => tf.mul(x, 180 / Math.PI)),
  ceil: unary(tf.ceil),
  floor: unary(tf.floor),
  round: unary((x, a) => {
    const scale = 10 ** a.integer("decimals", 0);
    return scale === 1 ? tf.round(x) : tf.div(tf.round(tf.mul(x, scale)), scale);
  }),
  trunc: unary(trunc),
  sign: unary(tf.sign),
  signBit: condition((x) => tf.less(x, 0)),
  erf: unary(tf.erf),
  erfc: unary((x) => tf.sub(1, tf.erf(x))),
  isNan: condition(tf.isNaN),
  isFinite: condition(tf.isFinite),
  isInf: condition(tf.isInf),
  nanToNum: unary((x, a) => {
    const number = choose(() => tf.isNaN(x), tf.scalar(a.number("nan", 0)), x);
    const infinity = Number.POSITIVE_INFINITY;
    const low = choose(() => tf.equal(x, -infinity), tf.scalar(a.number("neginf", -LARGEST)), number);
    return choose(() => tf.equal(x, infinity), tf.scalar(a.number("posinf", LARGEST)), low);
  }),
};
