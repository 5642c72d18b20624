/** The kernel's logo: a staircase, as every quantizer is one. */
export const LOGO = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">
  <rect width="64" height="64" rx="10" fill="#1f4e79"/>
  <path d="M8 54V44H22V32H36V20H50V10H56" fill="none" stroke="#fff" stroke-width="5" stroke-linejoin="round"/>
</svg>
`;
