// Fills in the demo credentials. Signing in remains a separate click.

const fillIn = document.getElementById("fill-in");

fillIn?.addEventListener("click", () => {
  document.getElementById("id_username").value = fillIn.dataset.username;
  document.getElementById("id_password").value = fillIn.dataset.password;
  document.querySelector("button[type=submit]").focus();
});
