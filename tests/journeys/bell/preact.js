import { h, render } from "preact";
import "tocsin-client/components";

import { client } from "./client.js";

render([h("tocsin-inbox", { client }), h("tocsin-toasts", { client, locale: "zh" })], document.getElementById("root"));
