declare module "virtual:examples" {
  interface Topic {
    title: string;
    page: string;
    operations: { account: string | null; operation: string; section: string }[];
  }
  const topics: Topic[];
  export default topics;
}
