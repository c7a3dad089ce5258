export default function V(_: Record<string, unknown>) { return <p>soon</p>; }
