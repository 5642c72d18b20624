/** Properties set on objects for a while. */
export interface Patches {
  /** `release` receives the property's last value when the object is put back. */
  set(target: object, property: string, value: unknown, release?: (last: unknown) => void): void;
  /** Puts every object back as it was, the latest change first. */
  restore(): void;
}

export function patches(): Patches {
  const undo: (() => void)[] = [];
  return {
    set(target, property, value, release) {
      const before = Object.getOwnPropertyDescriptor(target, property);
      Object.defineProperty(target, property, {
        value,
        configurable: true,
        writable: true,
        enumerable: true,
      });
      undo.push(() => {
        release?.(Reflect.get(target, property));
        if (before) Object.defineProperty(target, property, before);
        else Reflect.deleteProperty(target, property);
      });
    },
    restore() {
      for (const step of undo.splice(0).reverse()) step();
    },
  };
}
