"""Jupyter's own tests of kernels (https://github.com/jupyter/jupyter_kernel_test), for the kernel of this package."""

import unittest

import jupyter_kernel_test


class AutoqnnKernelTests(jupyter_kernel_test.KernelTests):
    kernel_name = "autoqnn"
    language_name = "typescript"
    file_extension = ".ts"
    code_hello_world = "console.log('hello, world')"
    code_stderr = "console.error('to stderr')"
    code_stdin = "await input('value: ')"
    completion_samples = [
        {"text": "schem", "matches": {"schemes"}},
        {"text": "Math.flo", "matches": {"floor"}},
    ]
    complete_code_samples = ["1 + 1", "function f() {\n  return 1;\n}", "const s = `text`"]
    incomplete_code_samples = ["function f() {", "const s = `text", "[1, 2"]
    invalid_code_samples = ["const = 1; 2 2"]
    code_execute_result = [
        {"code": "1 + 2 + 3", "result": "6"},
        {"code": "await Promise.resolve('text')", "result": "'text'"},
    ]
    code_display_data = [{"code": "await display([1]); undefined", "mime": "text/plain"}]
    code_generate_error = "throw new Error('wrong')"
    code_inspect_sample = "schemes.clip.fit("
    code_history_pattern = "1?+?2*"
    supported_history_operations = ("tail", "range", "search")
    code_clear_output = "clearOutput()"
    # Pagers (`code_page_something`) are a means of IPython's terminal; the kernel has no command that opens one.


if __name__ == "__main__":
    unittest.main()
