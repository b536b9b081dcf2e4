// The frame of every page.
import "./globals.css";
export const metadata = { title: "Learn a language" };
export default function Layout({ children }) {
  return (
    <html lang="en">
      <body>
        <main>{children}</main>
      </body>
    </html>
  );
}
