// The live part alone, while there is no report.
import { startLive } from "./live.js";

startLive();
