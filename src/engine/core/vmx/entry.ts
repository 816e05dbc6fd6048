export function vmLaunch(): i32 { return 0; }
export function vmResume(): i32 { return 0; }
export function vmEnter(): i32 { return 0; }
export function saveGuest(): void {}
export function loadGuest(): void {}
