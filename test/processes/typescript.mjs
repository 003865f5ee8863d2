// Preloaded with --import: lets Node read TypeScript in a worker thread too, where `--import tsx` alone does not.
import { register } from "tsx/esm/api"

register()
