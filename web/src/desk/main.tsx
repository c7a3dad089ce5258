import "../ui/base.css";
import { createRoot } from "react-dom/client";
import { SignIn } from "../ui/SignIn";
createRoot(document.getElementById("root")!).render(<SignIn />);
