"""What `shopctl --help` prints; a test holds it to the commands that there are."""

HELP = """\
Runs, looks into and checks applications built with Cartwheel.

usage: shopctl COMMAND [OPTIONS]

commands:
  dev                   Serve on this machine until Ctrl-C or SIGTERM; logs go to standard error.
  demo                  Play a customer's day on a real shop, crash included, and check the books.
  routes                List the routes with who may call them.
  openapi               Print the OpenAPI 3.1 document.
  build                 Build what is deployed and write it down; needs no credentials.
  plan                  Compare the application with what is deployed; changes nothing.
  deploy                Deploy the application and wait until it answers; asks first.
  status                Show a stage as it stands; fails when there is none.
  outputs               Print what a stage's parts are called, its address first of all.
  logs                  Show what functions wrote, oldest first.
  invoke                Call a function as the platform would, and print its answer as JSON.
  rollback              Deploy once more what was deployed before; data stays as it is.
  drift                 Find what somebody changed beside the deployments.
  destroy               Take a stage away, and nothing else; data stays unless told; asks first.
  adapters              List the adapters, whether they can be used, and what to install.
  doctor                Check Python, SQLite, adapters, the data, the port and the application.
  workflow list         List the workflows.
  workflow show         Show what a workflow takes, gives, calls and waits for.
  workflow graph        Draw a workflow.
  workflow lint         Check workflows against good practice and targets' limits; fail on an error.
  workflow run          Run a workflow with the application's own tasks; print what happened when.
  workflow compile      Compile a workflow for a provider's engine and check the result.
  workflow cost         Count what a run bills on each provider, and price a million runs.
  workflow ir           Print a workflow as data.
  workflow schema       Print the JSON Schema of workflows as data.
  runs list             List runs, newest first.
  runs show             Show a run and its timeline.
  runs signal           Give a run a signal; it is kept until the run waits for it.
  runs cancel           Ask a run to end; what it did is undone by its sagas.
  runs redrive          Let a failed or cancelled run go on from the step that failed.
  dead-letters list     List deliveries that failed for good, oldest first.
  dead-letters show     Show a dead letter with what it carries and why it failed.
  dead-letters redrive  Deliver a dead letter once more, from the first try.
  dead-letters discard  Forget a dead letter for good.
  users add             Add a user; works while the shop is being served, too.

options:
  -h, --help            Print this; after a command, what it takes.
  --version             Print the version.

The application is the one named by --app MODULE:NAME, else by [tool.cartwheel] app in
the nearest pyproject.toml, else the built-in shop.
"""
