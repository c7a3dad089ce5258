import { useEffect, useState } from "react";
import { useConnection } from "../ui/hooks";

/** Shows that the connection is lost, and briefly that it is back. It overlays the view, which does not shift. */
export function ConnectionBanner() {
  const connection = useConnection();
  const [shown, show] = useState<"lost" | "back" | null>(null);
  useEffect(() => {
    if (connection === "broken") {
      const timer = setTimeout(() => show("lost"), 700); // short interruptions are not shown
      return () => clearTimeout(timer);
    }
    if (connection === "open") show((before) => (before === "lost" ? "back" : null));
    return undefined;
  }, [connection]);
  useEffect(() => {
    if (shown !== "back") return undefined;
    const timer = setTimeout(() => show(null), 3000);
    return () => clearTimeout(timer);
  }, [shown]);
  return (
    <div className={`banner ${shown ?? ""}`} role="status">
      {shown === "lost" && "Connection lost. Prices are not current; connecting again …"}
      {shown === "back" && "Connected again. Nothing was missed."}
    </div>
  );
}
