// The frontend of the reference stack: nothing but what its two pages need.
export default { poweredByHeader: false };
