/** The widgets of blessed-contrib that have no types of their own: what `widget.ts` uses of them. */
declare module 'blessed-contrib/lib/widget/charts/line.js' {
  const Line: import('./widget.js').WidgetMaker;
  export default Line;
}
declare module 'blessed-contrib/lib/widget/charts/bar.js' {
  const Bar: import('./widget.js').WidgetMaker;
  export default Bar;
}
