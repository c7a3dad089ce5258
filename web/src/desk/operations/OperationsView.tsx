import { Audit } from "./Audit";
import { Feeds } from "./Feeds";
import { Health } from "./Health";
import { ServiceTable } from "./ServiceTable";
import { SessionTable } from "./SessionTable";

/** The view of administrators: services, feeds, sessions and the audit log. */
export default function OperationsView() {
  return (
    <div className="page">
      <div className="page-title">
        <h1>Operations</h1>
      </div>
      <Health />
      <ServiceTable />
      <div className="columns">
        <Feeds />
        <SessionTable />
      </div>
      <Audit />
    </div>
  );
}
