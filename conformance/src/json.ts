// oxlint-disable-next-line typescript/no-explicit-any -- answers of any kind: bodies read field by field what they then assert on
export type Json = any
