/**
 * The quantile t of Student's distribution of `freedom` degrees, a whole number, between whose negative and itself the
 * share `confidence` of the distribution lies.
 *
 * For whole degrees of freedom that share is a finite sum in the angle atan(t / sqrt(freedom)) (Abramowitz and Stegun, Handbook of
 * Mathematical Functions, 26.7.3 and 26.7.4); it grows with the angle, which is found by bisection.
 *
 * @example
 * student(0.95, 4); // 2.7764...
 */
export function student(confidence: number, freedom: number): number {
  let [low, high] = [0, Math.PI / 2];
  while (true) {
    const middle = (low + high) / 2;
    if (middle === low || middle === high) return Math.sqrt(freedom) * Math.tan(middle);
    if (share(middle, freedom) < confidence) low = middle;
    else high = middle;
  }
}

/** The probability that |t| is at most sqrt(freedom) tan(angle). */
function share(angle: number, freedom: number): number {
  const [sine, square] = [Math.sin(angle), Math.cos(angle) ** 2];
  const odd = freedom % 2 === 1;
  let [term, sum] = odd ? [Math.cos(angle), 0] : [1, 0];
  for (let n = odd ? 3 : 2; n <= freedom; n += 2) {
    sum += term;
    term *= (square * (n - 1)) / n;
  }
  return odd ? (2 / Math.PI) * (angle + sine * sum) : sine * sum;
}
