/** What the command line needs of the kernel. */

export { readConnection } from "./connection.js";
export { installKernel, uninstallKernel } from "./install.js";
export { serve } from "./kernel.js";
