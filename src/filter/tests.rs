use crate::fake_host::Gateway;
#[test]
fn smoke() {
    let _ = Gateway::start();
}
