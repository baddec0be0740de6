// The report with the live part on top: the place of the reader first, then the report's own script.
import { rememberPlace } from "./place.js";
import { } from "./main.js";
import { startLive } from "./live.js";

window.addEventListener("beforeunload", rememberPlace);
startLive();
