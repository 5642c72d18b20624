/** `work`, done at most once, as its first caller asks for it; a failure is forgotten, so that it can be tried again. */
export function once<A extends unknown[], T>(work: (...given: A) => Promise<T>): (...given: A) => Promise<T> {
  let result: Promise<T> | undefined;
  return (...given) => {
    result ??= work(...given).catch((error) => {
      result = undefined;
      throw error;
    });
    return result;
  };
}
