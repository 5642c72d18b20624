/**
 * The compiler. Required, since `import` first searches its nine million characters for what they export, which takes longer than
 * loading it.
 */
import ts = require("typescript");

export = ts;
