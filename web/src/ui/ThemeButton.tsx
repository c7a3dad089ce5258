import { useTheme } from "./hooks";
import { Icon } from "./Icon";
import { chooseTheme } from "./theme";

export function ThemeButton() {
  const other = useTheme() === "dark" ? "light" : "dark";
  return (
    <button type="button" className="icon-button" onClick={() => chooseTheme(other)} aria-label={`Use the ${other} theme`}>
      <Icon name={other === "light" ? "sun" : "moon"} />
    </button>
  );
}
