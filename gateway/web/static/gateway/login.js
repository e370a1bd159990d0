// Fills the demo credentials in, so that the first look needs no typing. Signing in stays a click of its own.

const fillIn = document.getElementById("fill-in");

fillIn?.addEventListener("click", () => {
  document.getElementById("id_username").value = fillIn.dataset.username;
  document.getElementById("id_password").value = fillIn.dataset.password;
  document.querySelector("button[type=submit]").focus();
});
